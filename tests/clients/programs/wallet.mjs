/** A wallet made of `@openid4vc/openid4vci` and `openid4vp`, which gets and shows credentials. */
import {createHash} from 'node:crypto';
import {
  clientAuthenticationClientAttestationJwt, createClientAttestationJwt
} from '@openid4vc/oauth2';
import {Openid4vciClient} from '@openid4vc/openid4vci';
import {Openid4vpClient} from '@openid4vc/openid4vp';
import {digest, ES256} from '@sd-jwt/crypto-nodejs';
import {SDJwtVcInstance} from '@sd-jwt/sd-jwt-vc';
import {answer} from './answering.mjs';
import {
  decrypt, encrypt, generateKey, makeCallbacks, publicHalf, signerOf
} from './callbacks.mjs';
import {showDocument, wrapIssued, writeTranscript} from './documents.mjs';

const device = await generateKey();
const answering = await generateKey({alg: 'ECDH-ES', use: 'enc'});
const maker = await generateKey();
const holding = await Promise.all(Array.from({length: 5}, () => generateKey()));
const keys = [device, answering, maker, ...holding];

/** What this wallet knows of the issuance that it is in the middle of. */
let current;

/** Reads an offer and what its issuer says of itself. */
async function scan({offer, dpop, encrypted, attested, signed}) {
  const callbacks = makeCallbacks(keys, {
    fetch: encrypted ? fetchEncrypted : signed ? fetchSigned : fetch,
    ...(attested ? {clientAuthentication: await attest()} : {})
  });
  const client = new Openid4vciClient({callbacks});
  const credentialOffer = await client.resolveCredentialOffer(offer);
  const issuerMetadata = await client.resolveIssuerMetadata(credentialOffer.credential_issuer);
  current = {
    client, credentialOffer, issuerMetadata, dpop: dpop ? {signer: signerOf(device)} : undefined
  };
  return {offer: credentialOffer, metadata: issuerMetadata};
}

/** Shows by an attestation of its maker what wallet this is. */
async function attest() {
  const callbacks = makeCallbacks(keys);
  const clientAttestationJwt = await createClientAttestationJwt({
    issuer: 'https://maker.example',
    clientId: 'wallet',
    confirmation: {jwk: publicHalf(device)},
    expiresAt: new Date(Date.now() + 300_000),
    signer: signerOf(maker),
    callbacks
  });
  return clientAuthenticationClientAttestationJwt({clientAttestationJwt, callbacks});
}

async function redeemCode({txCode}) {
  const {client, credentialOffer, issuerMetadata, dpop} = current;
  const {accessTokenResponse} = await client.retrievePreAuthorizedCodeAccessTokenFromOffer({
    credentialOffer, issuerMetadata, txCode, dpop
  });
  current.accessToken = accessTokenResponse.access_token;
  return accessTokenResponse;
}

/** Pushes an authorisation request; returns the address to which the person's browser goes. */
async function authorize({clientId, redirectUri, scope}) {
  const {client, credentialOffer, issuerMetadata, dpop} = current;
  const made = await client.initiateAuthorization({
    credentialOffer, issuerMetadata, dpop, clientId, redirectUri, scope
  });
  Object.assign(current, {pkce: made.pkce, redirectUri});
  return made.authorizationRequestUrl;
}

/** Takes up where the browser came back to. */
async function redeemRedirect({url}) {
  const {client, credentialOffer, issuerMetadata, dpop, pkce, redirectUri} = current;
  const told = client.parseAndVerifyAuthorizationResponseRedirectUrl({
    url, authorizationServerMetadata: issuerMetadata.authorizationServers[0]
  });
  const {accessTokenResponse} = await client.retrieveAuthorizationCodeAccessTokenFromOffer({
    credentialOffer,
    issuerMetadata,
    dpop,
    authorizationCode: told.code,
    pkceCodeVerifier: pkce.codeVerifier,
    redirectUri
  });
  current.accessToken = accessTokenResponse.access_token;
  return accessTokenResponse;
}

/** Proves possession of so many keys, and asks for a credential for each. */
async function getCredentials({configuration, count = 1, identifier, nonce}) {
  const {client, issuerMetadata, accessToken, dpop, credentialOffer} = current;
  const name = configuration ?? credentialOffer.credential_configuration_ids[0];
  const {c_nonce: fresh} = await client.requestNonce({issuerMetadata});
  const jwt = await Promise.all(holding.slice(0, count).map(async key => {
    const options = {issuerMetadata, signer: signerOf(key), nonce: nonce ?? fresh};
    return (await client.createCredentialRequestJwtProof({
      ...options, credentialConfigurationId: name
    })).jwt;
  }));
  const {credentialResponse} = await client.retrieveCredentials({
    issuerMetadata,
    accessToken,
    dpop,
    proofs: {jwt},
    credentialConfigurationId: name,
    additionalRequestPayload: identifier
      ? {credential_identifier: identifier, credential_configuration_id: undefined} : undefined
  });
  return {...credentialResponse, keys: holding.slice(0, count).map(publicHalf)};
}

async function getDeferred({transactionId}) {
  const {client, issuerMetadata, accessToken, dpop} = current;
  const {deferredCredentialResponse} = await client.retrieveDeferredCredentials({
    issuerMetadata, accessToken, dpop, transactionId
  });
  return deferredCredentialResponse;
}

async function notify({notificationId, event}) {
  const {client, issuerMetadata, accessToken, dpop} = current;
  await client.sendNotification({
    issuerMetadata, accessToken, dpop, notification: {notificationId, event}
  });
}

/**
 * Encrypts credential requests and decrypts their answers, which the library leaves to its user.
 *
 * OpenID4VCI 1.0, section 10: the request that holds the key for the answer is encrypted itself.
 */
async function fetchEncrypted(url, options) {
  const {issuerMetadata} = current ?? {};
  const {credential_endpoint: endpoint, credential_request_encryption: supported} =
    issuerMetadata?.credentialIssuer ?? {};
  if (url.toString() !== endpoint) {
    return fetch(url, options);
  }
  const body = JSON.stringify({
    ...JSON.parse(options.body),
    credential_response_encryption: {jwk: publicHalf(answering), enc: 'A256GCM'}
  });
  const [key] = supported.jwks.keys;
  const headers = new Headers(options.headers);
  headers.set('content-type', 'application/jwt');
  const response = await fetch(url, {
    ...options, headers, body: await encrypt(body, key, key.alg, supported.enc_values_supported[0])
  });
  if (!response.headers.get('content-type').startsWith('application/jwt')) {
    return response;
  }
  const told = await decrypt(await response.text(), answering);
  return new Response(told, {
    status: response.status, headers: {'content-type': 'application/json'}
  });
}

/** Asks for what an issuer says of itself in signed form, which the library then verifies. */
function fetchSigned(url, options) {
  const wants = url.toString().endsWith('/openid-credential-issuer');
  return fetch(url, wants ? {...options, headers: {accept: 'application/jwt'}} : options);
}

const ENCRYPTION = {
  authorization_encryption_alg_values_supported: ['ECDH-ES'],
  authorization_encryption_enc_values_supported: ['A128GCM', 'A256GCM']
};

/**
 * Answers a verifier: of an SD-JWT with what the frame selects, of a mobile document with what is
 * asked for; `changes` makes the answer wrong.
 */
async function present({uri, credential, frame, changes = {}}) {
  const {client, resolved} = await readRequest(uri);
  const {authorizationRequestPayload, dcql, transactionData} = resolved;
  const [query] = dcql.query.credentials;
  const asked = {...authorizationRequestPayload, ...changes};
  const shown = query.format === 'mso_mdoc'
    ? await showDocument({
      response: wrapIssued(query.meta.doctype_value, Buffer.from(credential, 'base64url')),
      docType: query.meta.doctype_value,
      paths: query.claims.map(each => each.path),
      deviceKey: holding[0],
      transcript: await writeTranscript(asked)
    }).then(response => response.toString('base64url'))
    : await bind(credential, frame, {
      aud: authorizationRequestPayload.client_id,
      nonce: authorizationRequestPayload.nonce,
      ...authorise(transactionData),
      ...changes
    });
  const made = await client.createOpenid4vpAuthorizationResponse({
    authorizationRequestPayload,
    authorizationResponsePayload: {vp_token: {[query.id]: [shown]}},
    jarm: {encryption: {nonce: 'nonce of the wallet'}, serverMetadata: ENCRYPTION}
  });
  const {response} = await client.submitOpenid4vpAuthorizationResponse({
    authorizationRequestPayload, ...made
  });
  return {...tell(resolved), status: response.status, told: await response.json()};
}

/** Authorises the transactions that a verifier shows, by their hashes. */
function authorise(transactions) {
  if (transactions === undefined) {
    return {};
  }
  const hash = ({encoded}) => createHash('sha256').update(encoded).digest('base64url');
  return {
    transaction_data_hashes: transactions.map(hash), transaction_data_hashes_alg: 'sha-256'
  };
}

/** Tells a verifier that nothing is shown. */
async function decline({uri}) {
  const {client, resolved} = await readRequest(uri);
  const {authorizationRequestPayload} = resolved;
  const {response} = await client.submitOpenid4vpAuthorizationResponse({
    authorizationRequestPayload,
    authorizationResponsePayload: {
      error: 'access_denied', state: authorizationRequestPayload.state
    }
  });
  return {...tell(resolved), status: response.status};
}

/** Reads a verifier's request and verifies who asks; nothing is answered yet. */
async function readRequest(uri) {
  const client = new Openid4vpClient({callbacks: makeCallbacks(keys)});
  const {params} = client.parseOpenid4vpAuthorizationRequest({authorizationRequest: uri});
  const resolved = await client.resolveOpenId4vpAuthorizationRequest({
    authorizationRequestPayload: params
  });
  return {client, resolved};
}

/** Tells who asks, how they proved it, and what for. */
function tell({client, jar, authorizationRequestPayload: asked, transactionData}) {
  return {
    client: client.prefix,
    signer: jar.signer.method,
    mode: asked.response_mode,
    transactions: transactionData?.map(each => each.transactionData)
  };
}

/** Shows what the frame selects, signed by the holder for this request. */
async function bind(credential, frame, claims) {
  const kbSigner = await ES256.getSigner(findHolder(credential));
  const holder = new SDJwtVcInstance({hasher: digest, kbSigner, kbSignAlg: 'ES256'});
  const iat = Math.floor(Date.now() / 1000);
  return holder.present(credential, frame, {kb: {payload: {iat, ...claims}}});
}

/** The key to which a credential is bound. */
function findHolder(credential) {
  const payload = JSON.parse(Buffer.from(credential.split('.')[1], 'base64url'));
  return holding.find(each => each.x === payload.cnf.jwk.x);
}

await answer({
  getMaker: () => publicHalf(maker),
  scan, redeemCode, authorize, redeemRedirect, getCredentials, getDeferred, notify, present, decline
});
