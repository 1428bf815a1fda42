/** An issuer made of `@openid4vc/openid4vci` and `oauth2`, over HTTP; it signs with `@sd-jwt`. */
import {randomUUID} from 'node:crypto';
import {
  Oauth2AuthorizationServer, Oauth2ResourceServer, preAuthorizedCodeGrantIdentifier
} from '@openid4vc/oauth2';
import {Openid4vciIssuer, Openid4vciVersion} from '@openid4vc/openid4vci';
import {digest, ES256, generateSalt} from '@sd-jwt/crypto-nodejs';
import {SDJwtVcInstance} from '@sd-jwt/sd-jwt-vc';
import {answer} from './answering.mjs';
import {generateKey, makeCallbacks, publicHalf, signerOf, writeDidJwk} from './callbacks.mjs';
import {serve} from './serving.mjs';

const key = await generateKey();
const callbacks = makeCallbacks([key]);
const issuer = new Openid4vciIssuer({callbacks});
const authorization = new Oauth2AuthorizationServer({callbacks});
const resources = new Oauth2ResourceServer({callbacks});

/** What was offered, by its code; nonces that were given out; and what wallets told. */
const offers = new Map();
const nonces = new Set();
const notifications = [];

const url = await serve({
  'GET /.well-known/openid-credential-issuer': () => ({body: metadata.credentialIssuer}),
  'GET /.well-known/oauth-authorization-server': () => ({body: metadata.authorizationServers[0]}),
  'GET /keys': () => ({body: {keys: [publicHalf(key)]}}),
  'POST /token': giveToken,
  'POST /nonce': giveNonce,
  'POST /credential': giveCredentials,
  'POST /notification': takeNotification
});

const metadata = makeMetadata();

function makeMetadata() {
  const credentialIssuer = issuer.createCredentialIssuerMetadata({
    credential_issuer: url,
    credential_endpoint: `${url}/credential`,
    nonce_endpoint: `${url}/nonce`,
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
  const server = authorization.createAuthorizationServerMetadata({
    issuer: url,
    token_endpoint: `${url}/token`,
    jwks_uri: `${url}/keys`,
    grant_types_supported: [preAuthorizedCodeGrantIdentifier],
    dpop_signing_alg_values_supported: ['ES256'],
    'pre-authorized_grant_anonymous_access_supported': true
  });
  return {
    originalDraftVersion: Openid4vciVersion.V1,
    credentialIssuer,
    authorizationServers: [server],
    knownCredentialConfigurations: issuer.getKnownCredentialConfigurationsSupported(credentialIssuer)
  };
}

/** Offers a credential with these claims; with a transaction code, the person needs it. */
async function offer({claims, txCode}) {
  const code = randomUUID();
  const {credentialOffer} = await issuer.createCredentialOffer({
    issuerMetadata: metadata,
    credentialConfigurationIds: ['resident'],
    grants: {
      [preAuthorizedCodeGrantIdentifier]: {
        'pre-authorized_code': code,
        ...(txCode ? {tx_code: {length: txCode.length, input_mode: 'numeric'}} : {})
      }
    }
  });
  offers.set(code, {claims, txCode});
  return credentialOffer;
}

async function giveToken(request) {
  const accessTokenRequest = Object.fromEntries(new URLSearchParams(request.text));
  const parsed = authorization.parseAccessTokenRequest({request, accessTokenRequest});
  const code = parsed.grant.preAuthorizedCode;
  const {dpop} = await authorization.verifyPreAuthorizedCodeAccessTokenRequest({
    authorizationServerMetadata: metadata.authorizationServers[0],
    grant: parsed.grant,
    accessTokenRequest,
    request,
    expectedPreAuthorizedCode: offers.has(code) ? code : 'none',
    expectedTxCode: offers.get(code)?.txCode,
    dpop: {...parsed.dpop, required: true}
  });
  const body = await authorization.createAccessTokenResponse({
    audience: url,
    authorizationServer: url,
    expiresInSeconds: 300,
    subject: code,
    signer: {...signerOf(key), kid: key.kid},
    dpop
  });
  return {body};
}

async function giveNonce() {
  const nonce = randomUUID();
  nonces.add(nonce);
  return {body: issuer.createNonceResponse({cNonce: nonce})};
}

async function giveCredentials(request) {
  const {tokenPayload} = await checkAccess(request);
  const {claims} = offers.get(tokenPayload.sub);
  const parsed = issuer.parseCredentialRequest({
    issuerMetadata: metadata, credentialRequest: JSON.parse(request.text)
  });
  const holders = await Promise.all(parsed.proofs.jwt.map(proveKey));
  const credentials = await Promise.all(
    holders.map(async holder => ({credential: await sign(claims, holder)}))
  );
  const {credentialRequest} = parsed;
  const notificationId = tokenPayload.sub;
  return {body: issuer.createCredentialResponse({credentialRequest, credentials, notificationId})};
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

await answer({offer, listNotifications: () => notifications});
