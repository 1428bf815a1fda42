/** An issuer made of `@openid4vc/openid4vci` and `oauth2`, over HTTP; it signs with `@sd-jwt`. */
import {randomUUID} from 'node:crypto';
import {
  authorizationCodeGrantIdentifier, Oauth2ResourceServer, preAuthorizedCodeGrantIdentifier
} from '@openid4vc/oauth2';
import {Openid4vciIssuer, Openid4vciVersion} from '@openid4vc/openid4vci';
import {digest, ES256, generateSalt} from '@sd-jwt/crypto-nodejs';
import {SDJwtVcInstance} from '@sd-jwt/sd-jwt-vc';
import {answer} from './answering.mjs';
import {Authorization} from './authorization.mjs';
import {generateKey, makeCallbacks, publicHalf, writeDidJwk} from './callbacks.mjs';
import {serve} from './serving.mjs';

const key = await generateKey();
const callbacks = makeCallbacks([key]);
const issuer = new Openid4vciIssuer({callbacks});
const authorization = new Authorization(key, callbacks);
const resources = new Oauth2ResourceServer({callbacks});

/** Nonces that were given out, requests that wait by their id, and what wallets told. */
const nonces = new Set();
const waiting = new Map();
const notifications = [];

const url = await serve({
  'GET /.well-known/openid-credential-issuer': () => ({body: metadata.credentialIssuer}),
  'GET /.well-known/oauth-authorization-server': () => ({body: authorization.metadata}),
  'GET /keys': () => ({body: {keys: [publicHalf(key)]}}),
  'POST /nonce': giveNonce,
  'POST /credential': giveCredentials,
  'POST /deferred': giveDeferred,
  'POST /notification': takeNotification,
  ...authorization.routes
});

const metadata = makeMetadata();

function makeMetadata() {
  const list = configured => issuer.getKnownCredentialConfigurationsSupported(configured);
  const credentialIssuer = issuer.createCredentialIssuerMetadata({
    credential_issuer: url,
    credential_endpoint: `${url}/credential`,
    nonce_endpoint: `${url}/nonce`,
    deferred_credential_endpoint: `${url}/deferred`,
    notification_endpoint: `${url}/notification`,
    batch_credential_issuance: {batch_size: 3},
    credential_configurations_supported: {
      resident: {
        format: 'dc+sd-jwt',
        vct: 'urn:example:resident:1',
        scope: 'resident',
        cryptographic_binding_methods_supported: ['jwk'],
        credential_signing_alg_values_supported: ['ES256'],
        proof_types_supported: {jwt: {proof_signing_alg_values_supported: ['ES256']}}
      }
    }
  });
  return {
    originalDraftVersion: Openid4vciVersion.V1,
    credentialIssuer,
    authorizationServers: [authorization.describe(url)],
    knownCredentialConfigurations: list(credentialIssuer)
  };
}

/** Offers a credential with these claims, or without claims one that is not ready yet. */
async function offer({claims, txCode}) {
  const code = randomUUID();
  const {credentialOffer} = await issuer.createCredentialOffer({
    issuerMetadata: metadata,
    credentialConfigurationIds: ['resident'],
    grants: {
      [authorizationCodeGrantIdentifier]: {issuer_state: code},
      [preAuthorizedCodeGrantIdentifier]: {
        'pre-authorized_code': code,
        ...(txCode ? {tx_code: {length: txCode.length, input_mode: 'numeric'}} : {})
      }
    }
  });
  authorization.granted.set(code, {claims, txCode});
  return credentialOffer;
}

/** Gives the claims of all that waits. */
function complete({claims}) {
  for (const each of waiting.values()) {
    each.claims = claims;
  }
}

async function giveNonce() {
  const nonce = randomUUID();
  nonces.add(nonce);
  return {body: issuer.createNonceResponse({cNonce: nonce})};
}

async function giveCredentials(request) {
  const {tokenPayload} = await checkAccess(request);
  const {claims} = authorization.granted.get(tokenPayload.sub);
  const parsed = issuer.parseCredentialRequest({
    issuerMetadata: metadata, credentialRequest: JSON.parse(request.text)
  });
  const holders = await Promise.all(parsed.proofs.jwt.map(proveKey));
  if (!claims) {
    const transactionId = randomUUID();
    waiting.set(transactionId, {holders});
    const body = issuer.createCredentialResponse({...parsed, transactionId, interval: 5});
    return {status: 202, body};
  }
  const credentials = await signAll(claims, holders);
  const notificationId = tokenPayload.sub;
  return {body: issuer.createCredentialResponse({...parsed, credentials, notificationId})};
}

async function giveDeferred(request) {
  await checkAccess(request);
  const {deferredCredentialRequest} = issuer.parseDeferredCredentialRequest({
    deferredCredentialRequest: JSON.parse(request.text)
  });
  const {transaction_id: transactionId} = deferredCredentialRequest;
  const {claims, holders} = waiting.get(transactionId);
  const told = claims
    ? {credentials: await signAll(claims, holders)} : {transactionId, interval: 5};
  const body = issuer.createDeferredCredentialResponse({deferredCredentialRequest, ...told});
  return {status: claims ? 200 : 202, body};
}

function signAll(claims, holders) {
  return Promise.all(holders.map(async each => ({credential: await sign(claims, each)})));
}

/** Verifies a proof of possession, its nonce among it; returns the holder's key. */
async function proveKey(jwt) {
  const {nonce} = JSON.parse(Buffer.from(jwt.split('.')[1], 'base64url'));
  if (!nonces.has(nonce)) {
    throw new Error(`${nonce} was not given out`);
  }
  const {signer} = await issuer.verifyCredentialRequestJwtProof({
    issuerMetadata: metadata, jwt, expectedNonce: nonce
  });
  return signer.publicJwk;
}

async function sign(claims, holder) {
  const issuing = new SDJwtVcInstance({
    hasher: digest,
    hashAlg: 'sha-256',
    saltGenerator: generateSalt,
    signer: await ES256.getSigner(key),
    signAlg: 'ES256'
  });
  const did = writeDidJwk(key);
  const now = Math.floor(Date.now() / 1000);
  const own = {vct: 'urn:example:resident:1', iss: did, iat: now, exp: now + 86400};
  const frame = {_sd: Object.keys(claims), _sd_decoy: 2};
  const payload = {...own, cnf: {jwk: holder}, ...claims};
  return issuing.issue(payload, frame, {header: {kid: `${did}#0`}});
}

async function takeNotification(request) {
  await checkAccess(request);
  notifications.push(JSON.parse(request.text).event);
  return {status: 204};
}

function checkAccess(request) {
  const {authorizationServers} = metadata;
  return resources.verifyResourceRequest({request, resourceServer: url, authorizationServers});
}

await answer({offer, complete, listNotifications: () => notifications});
