/** A verifier made of `@openid4vc/openid4vp`, over HTTP; credentials it verifies by `@sd-jwt`. */
import {randomUUID} from 'node:crypto';
import {Openid4vpVerifier} from '@openid4vc/openid4vp';
import {digest, ES256} from '@sd-jwt/crypto-nodejs';
import {SDJwtVcInstance} from '@sd-jwt/sd-jwt-vc';
import {answer} from './answering.mjs';
import {generateKey, makeCallbacks, publicHalf, writeDidJwk} from './callbacks.mjs';
import {serve} from './serving.mjs';

const key = await generateKey();
const answering = await generateKey({alg: 'ECDH-ES', use: 'enc'});
const callbacks = makeCallbacks([key, answering]);
const verifier = new Openid4vpVerifier({callbacks});
const did = writeDidJwk(key);
const clientId = `decentralized_identifier:${did}`;

/** The one request that is open, and what came of it. */
let asked;

const url = await serve({
  'GET /request': () => ({
    headers: {'content-type': 'application/oauth-authz-req+jwt'}, body: asked.token
  }),
  'POST /answer': takeAnswer
});

/** Asks by DCQL, in a request that is signed; `changes` makes it wrong, `expected` the answer. */
async function ask({query, changes = {}, expected}) {
  const nonce = randomUUID();
  const made = await verifier.createOpenId4vpAuthorizationRequest({
    authorizationRequestPayload: {
      response_type: 'vp_token',
      client_id: clientId,
      nonce,
      response_mode: 'direct_post.jwt',
      response_uri: `${url}/answer`,
      state: randomUUID(),
      dcql_query: query,
      client_metadata: {
        jwks: {keys: [publicHalf(answering)]},
        encrypted_response_enc_values_supported: ['A256GCM'],
        vp_formats_supported: {
          'dc+sd-jwt': {'sd-jwt_alg_values': ['ES256'], 'kb-jwt_alg_values': ['ES256']}
        }
      },
      ...changes
    },
    jar: {
      requestUri: `${url}/request`,
      jwtSigner: {method: 'did', didUrl: `${did}#0`, alg: 'ES256'},
      expiresInSeconds: 300,
      additionalJwtPayload: {aud: 'https://self-issued.me/v2'}
    }
  });
  const {authorizationRequestPayload, authorizationRequest, jar} = made;
  asked = {
    nonce: expected ?? nonce,
    payload: authorizationRequestPayload,
    token: jar.authorizationRequestJwt
  };
  return authorizationRequest;
}

async function takeAnswer({text}) {
  const parsed = await verifier.parseOpenid4vpAuthorizationResponse({
    authorizationRequestPayload: asked.payload,
    authorizationResponse: Object.fromEntries(new URLSearchParams(text)),
    callbacks
  });
  const {dcql: {presentations}, jarm} = parsed;
  const [[shown]] = Object.values(presentations);
  const {payload, kb} = await verify(shown);
  asked.report = {type: jarm.type, claims: payload, transactions: await list(kb.payload)};
  return {body: {}};
}

/** Verifies that what the holder signed authorises all transactions; returns these. */
async function list(binding) {
  const {transaction_data: transactionData, dcql_query: query} = asked.payload;
  if (transactionData === undefined) {
    return [];
  }
  const [{id}] = query.credentials;
  const verified = await verifier.verifyTransactionData({
    transactionData, credentials: {[id]: [binding]}
  });
  return verified.map(each => each.transactionDataEntry.transactionData);
}

/** Verifies what was shown, with the key of the issuer's did:jwk. */
async function verify(shown) {
  const {iss} = JSON.parse(Buffer.from(shown.split('.')[1], 'base64url'));
  const jwk = JSON.parse(Buffer.from(iss.slice('did:jwk:'.length), 'base64url'));
  const instance = new SDJwtVcInstance({
    hasher: digest,
    verifier: await ES256.getVerifier(jwk),
    kbVerifier: async (data, signature, {cnf}) =>
      (await ES256.getVerifier(cnf.jwk))(data, signature),
    statusListFetcher: async uri => (await fetch(uri)).text(),
    statusVerifier: await ES256.getVerifier(jwk)
  });
  const verified = await instance.verify(shown, {keyBindingNonce: asked.nonce});
  if (verified.kb.payload.aud !== clientId) {
    throw new Error(`the presentation is for ${verified.kb.payload.aud}`);
  }
  return verified;
}

await answer({ask, report: () => asked.report ?? null});
