/** What `@openid4vc` leaves to its user: keys, signatures, encryption, hashes; here from `jose`. */
import {createHash, randomBytes, X509Certificate} from 'node:crypto';
import {clientAuthenticationNone, setGlobalConfig} from '@openid4vc/oauth2';
import * as jose from 'jose';

setGlobalConfig({allowInsecureUrls: true}); // our services stand on this machine

/** A new key on P-256, as JWKs; with `use: 'enc'`, one to which others encrypt. */
export async function generateKey(more = {alg: 'ES256'}) {
  const pair = await jose.generateKeyPair(more.alg, {crv: 'P-256', extractable: true});
  const jwk = {...(await jose.exportJWK(pair.privateKey)), ...more};
  return {...jwk, kid: await jose.calculateJwkThumbprint(jwk)};
}

export function publicHalf({d, ...jwk}) {
  return jwk;
}

/** How a key signs whose public half stands in the header. */
export function signerOf(key) {
  const {kid, ...publicJwk} = publicHalf(key);
  return {method: 'jwk', publicJwk, alg: 'ES256'};
}

/** The did:jwk of a key. */
export function writeDidJwk({kty, crv, x, y}) {
  return `did:jwk:${Buffer.from(JSON.stringify({kty, crv, x, y})).toString('base64url')}`;
}

/** The key of a signer: its JWK, the one in a did:jwk, or that of its certificate. */
async function findKey({method, publicJwk, didUrl, x5c}) {
  if (method === 'jwk') {
    return publicJwk;
  }
  if (method === 'did' && didUrl.startsWith('did:jwk:')) {
    const encoded = didUrl.slice('did:jwk:'.length).split('#')[0];
    return JSON.parse(Buffer.from(encoded, 'base64url'));
  }
  if (method === 'x5c') {
    const certificate = new X509Certificate(Buffer.from(x5c[0], 'base64'));
    return certificate.publicKey.export({format: 'jwk'});
  }
  throw new Error(`a signer by ${method} is not known here`);
}

/**
 * @param keys private JWKs that this side holds
 * @param more callbacks of its own, `fetch` among them
 */
export function makeCallbacks(keys, more = {}) {
  const find = ({x, y}) => keys.find(each => each.x === x && each.y === y);
  return {
    hash: (data, algorithm) => createHash(algorithm.replace('-', '')).update(data).digest(),
    generateRandom: length => randomBytes(length),
    clientAuthentication: clientAuthenticationNone({clientId: 'wallet'}),
    async signJwt(signer, {header, payload}) {
      const jwk = find(await findKey(signer));
      const key = await jose.importJWK(jwk, signer.alg);
      const jwt = await new jose.SignJWT(payload).setProtectedHeader(header).sign(key);
      return {jwt, signerJwk: publicHalf(jwk)};
    },
    async verifyJwt(signer, {compact}) {
      const jwk = await findKey(signer);
      try {
        await jose.compactVerify(compact, await jose.importJWK(jwk, signer.alg));
      } catch {
        return {verified: false};
      }
      return {verified: true, signerJwk: jwk};
    },
    async encryptJwe({publicJwk, alg, enc, apu, apv}, text) {
      const parties = {apu: readBytes(apu), apv: readBytes(apv)};
      const jwe = await encrypt(text, publicJwk, alg, enc, parties);
      return {jwe, encryptionJwk: publicJwk};
    },
    async decryptJwe(jwe) {
      const {kid} = jose.decodeProtectedHeader(jwe);
      const decryptionJwk = keys.find(each => each.kid === kid);
      return {decrypted: true, decryptionJwk, payload: await decrypt(jwe, decryptionJwk)};
    },
    getX509CertificateMetadata(base64) {
      const {subjectAltName = ''} = new X509Certificate(Buffer.from(base64, 'base64'));
      const names = subjectAltName.split(', ').filter(each => each.startsWith('DNS:'));
      return {sanDnsNames: names.map(each => each.slice(4)), sanUriNames: []};
    },
    ...more
  };
}

function readBytes(base64url) {
  return base64url === undefined ? undefined : Buffer.from(base64url, 'base64url');
}

export async function encrypt(text, jwk, alg, enc, parties = {}) {
  return new jose.CompactEncrypt(new TextEncoder().encode(text))
    .setProtectedHeader({alg, enc, kid: jwk.kid})
    .setKeyManagementParameters(parties)
    .encrypt(await jose.importJWK(jwk, alg));
}

export async function decrypt(jwe, jwk) {
  const key = await jose.importJWK(jwk, jwk.alg);
  return new TextDecoder().decode((await jose.compactDecrypt(jwe, key)).plaintext);
}
