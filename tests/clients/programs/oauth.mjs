/** The OAuth of a wallet by `oauth4webapi`, which takes only what the standards say. */
import * as oauth from 'oauth4webapi';
import {answer} from './answering.mjs';

const LOCAL = {[oauth.allowInsecureRequests]: true}; // our issuer stands on this machine
const client = {client_id: 'wallet'};
const none = oauth.None();

/** The server, the wallet's key, and what this authorisation needs to remember. */
let current;

/** Pushes a request with PKCE and a DPoP proof; returns where the person's browser goes. */
async function authorize({issuer, redirectUri, scope, issuerState}) {
  const url = new URL(issuer);
  const response = await oauth.discoveryRequest(url, {...LOCAL, algorithm: 'oauth2'});
  const server = await oauth.processDiscoveryResponse(url, response);
  const dpop = oauth.DPoP(client, await oauth.generateKeyPair('ES256'));
  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  const parameters = {
    client_id: client.client_id,
    redirect_uri: redirectUri,
    response_type: 'code',
    scope,
    issuer_state: issuerState,
    state,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256'
  };
  const pushed = await oauth.processPushedAuthorizationResponse(
    server,
    client,
    await oauth.pushedAuthorizationRequest(server, client, none, parameters, {...LOCAL, DPoP: dpop})
  );
  current = {server, dpop, verifier, state, redirectUri};
  const query = new URLSearchParams({...client, request_uri: pushed.request_uri});
  return `${server.authorization_endpoint}?${query}`;
}

/** Takes up where the browser came back to; returns the answer of the token endpoint. */
async function redeem({returned, verifier}) {
  const {server, dpop, state, redirectUri} = current;
  const parameters = oauth.validateAuthResponse(server, client, new URL(returned), state);
  const response = await oauth.authorizationCodeGrantRequest(
    server, client, none, parameters, redirectUri, verifier ?? current.verifier,
    {...LOCAL, DPoP: dpop}
  );
  const told = await oauth.processAuthorizationCodeResponse(server, client, response);
  current.accessToken = told.access_token;
  return told;
}

/** Asks for something with the token that was given; returns status and what challenges say. */
async function ask({url, body, key}) {
  const dpop = key === 'another'
    ? oauth.DPoP(client, await oauth.generateKeyPair('ES256')) : current.dpop;
  const headers = new Headers({'content-type': 'application/json'});
  try {
    const response = await oauth.protectedResourceRequest(
      current.accessToken, 'POST', new URL(url), headers, JSON.stringify(body),
      {...LOCAL, DPoP: dpop}
    );
    return {status: response.status, told: await response.json()};
  } catch (error) {
    if (error instanceof oauth.WWWAuthenticateChallengeError) {
      return {status: error.status, challenges: error.cause};
    }
    throw error;
  }
}

await answer({authorize, redeem, ask});
