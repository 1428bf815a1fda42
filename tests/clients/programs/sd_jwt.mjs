/** SD-JWT VCs issued, held and verified by `@sd-jwt/*`; keys are JWKs on P-256. */
import {digest, ES256, generateSalt} from '@sd-jwt/crypto-nodejs';
import {SDJwtVcInstance} from '@sd-jwt/sd-jwt-vc';
import {answer} from './answering.mjs';

const HASHING = {hasher: digest, hashAlg: 'sha-256', saltGenerator: generateSalt};

function publicHalf({d, ...jwk}) {
  return jwk;
}

/** Claims of `frame` are made disclosable; with its `_sd_decoy`, decoys stand among them. */
async function issue({claims, frame, issuerKey, header}) {
  const signer = await ES256.getSigner(issuerKey);
  const issuer = new SDJwtVcInstance({...HASHING, signer, signAlg: 'ES256'});
  return issuer.issue(claims, frame, {header});
}

/** Shows what `frame` selects, signed by the holder for this audience and nonce. */
async function present({credential, frame, holderKey, binding}) {
  const kbSigner = await ES256.getSigner(holderKey);
  const holder = new SDJwtVcInstance({...HASHING, kbSigner, kbSignAlg: 'ES256'});
  return holder.present(credential, frame, {kb: {payload: binding}});
}

/** Verifies signature, dates, disclosures and status; with a nonce, the holder's binding, too. */
async function verify({presentation, issuerKey, nonce, audience, now, statusList}) {
  const verifier = await ES256.getVerifier(publicHalf(issuerKey));
  const instance = new SDJwtVcInstance({
    ...HASHING,
    verifier,
    kbVerifier: async (data, signature, payload) =>
      (await ES256.getVerifier(payload.cnf.jwk))(data, signature),
    statusListFetcher: async () => statusList,
    statusVerifier: verifier
  });
  const {payload, kb} = await instance.verify(presentation, {
    currentDate: now,
    ...(nonce ? {keyBindingNonce: nonce} : {})
  });
  // The library leaves the audience to its caller.
  if (audience && kb?.payload.aud !== audience) {
    throw new Error(`the presentation is for ${kb?.payload.aud}`);
  }
  return payload;
}

await answer({issue, present, verify});
