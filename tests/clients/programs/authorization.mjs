/** An authorisation server made of `@openid4vc/oauth2`: both grants, with PAR, PKCE and DPoP. */
import {randomUUID} from 'node:crypto';
import {
  authorizationCodeGrantIdentifier,
  Oauth2AuthorizationServer,
  preAuthorizedCodeGrantIdentifier
} from '@openid4vc/oauth2';
import {signerOf} from './callbacks.mjs';

export class Authorization {
  /** What may be fetched, by a code: of an offer, or of a person who agreed. */
  granted = new Map();
  /** Requests that were pushed, by the URI that leads to each. */
  #pushed = new Map();
  #library;
  #key;

  constructor(key, callbacks) {
    this.#key = key;
    this.#library = new Oauth2AuthorizationServer({callbacks});
  }

  /** Its routes, which the issuer serves among its own. */
  routes = {
    'POST /par': request => this.#push(request),
    'GET /authorize': request => this.#agree(request),
    'POST /token': request => this.#giveToken(request)
  };

  describe(url) {
    this.url = url;
    this.metadata = this.#library.createAuthorizationServerMetadata({
      issuer: url,
      token_endpoint: `${url}/token`,
      authorization_endpoint: `${url}/authorize`,
      pushed_authorization_request_endpoint: `${url}/par`,
      require_pushed_authorization_requests: true,
      jwks_uri: `${url}/keys`,
      grant_types_supported: [preAuthorizedCodeGrantIdentifier, authorizationCodeGrantIdentifier],
      code_challenge_methods_supported: ['S256'],
      dpop_signing_alg_values_supported: ['ES256'],
      authorization_response_iss_parameter_supported: true,
      'pre-authorized_grant_anonymous_access_supported': true
    });
    return this.metadata;
  }

  async #push(request) {
    const authorizationRequest = Object.fromEntries(new URLSearchParams(request.text));
    const parsed = await this.#library.parsePushedAuthorizationRequest({
      request, authorizationRequest
    });
    const {dpop} = await this.#library.verifyPushedAuthorizationRequest({
      ...parsed, request, authorizationServerMetadata: this.metadata
    });
    const requestUri = `urn:ietf:params:oauth:request_uri:${randomUUID()}`;
    this.#pushed.set(requestUri, {...authorizationRequest, thumbprint: dpop?.jwkThumbprint});
    const {pushedAuthorizationResponse} = this.#library.createPushedAuthorizationResponse({
      requestUri, expiresInSeconds: 60
    });
    return {status: 201, body: pushedAuthorizationResponse};
  }

  /** Stands for the page on which a person agrees. */
  #agree({query}) {
    const asked = this.#pushed.get(query.get('request_uri'));
    const code = randomUUID();
    this.granted.set(code, {...this.granted.get(asked.issuer_state), asked});
    const told = new URLSearchParams({code, state: asked.state, iss: this.url});
    return {status: 302, headers: {location: `${asked.redirect_uri}?${told}`}};
  }

  async #giveToken(request) {
    const accessTokenRequest = Object.fromEntries(new URLSearchParams(request.text));
    const parsed = this.#library.parseAccessTokenRequest({request, accessTokenRequest});
    const code = parsed.grant.preAuthorizedCode ?? parsed.grant.code;
    const {asked, txCode} = this.granted.get(code) ?? {};
    const options = {
      authorizationServerMetadata: this.metadata, grant: parsed.grant, accessTokenRequest, request
    };
    const expected = this.granted.has(code) ? code : 'none';
    const verified = asked
      ? await this.#library.verifyAuthorizationCodeAccessTokenRequest({
        ...options,
        expectedCode: expected,
        dpop: {...parsed.dpop, required: true, expectedJwkThumbprint: asked.thumbprint},
        pkce: {
          codeVerifier: parsed.pkceCodeVerifier,
          codeChallenge: asked.code_challenge,
          codeChallengeMethod: asked.code_challenge_method
        }
      })
      : await this.#library.verifyPreAuthorizedCodeAccessTokenRequest({
        ...options,
        expectedPreAuthorizedCode: expected,
        expectedTxCode: txCode,
        dpop: {...parsed.dpop, required: true}
      });
    const body = await this.#library.createAccessTokenResponse({
      audience: this.url,
      authorizationServer: this.url,
      expiresInSeconds: 300,
      subject: code,
      signer: {...signerOf(this.#key), kid: this.#key.kid},
      dpop: verified.dpop
    });
    return {body};
  }
}
