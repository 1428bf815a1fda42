/**
 * Measures packages of Node with the credential that `hansa bench identity` measures.
 *
 * Standard input is one JSON object: `claims`, `type`, `document`, `contexts` by URL, `shown`,
 * `challenge`, `now` and `until` (seconds), `seconds` of each rate and `rounds`. Standard output
 * is one: the rates of each family of packages that is installed where this program runs.
 */
import {generateKeyPairSync, sign, verify} from 'node:crypto';
import {readFileSync} from 'node:fs';

const {
  claims, type, document, contexts, shown, challenge, now, until, seconds, rounds
} = JSON.parse(readFileSync(0, 'utf8'));
const HEADER = new Uint8Array([1]);

/** Measures how often a second of processor time a step is done: the best of the rounds. */
async function measure(step) {
  await repeat(step, 3);
  const once = await repeat(step, 1);
  const times = Math.max(1, Math.floor(seconds / rounds / once));
  let best = 0;
  for (let round = 0; round < rounds; round++) {
    best = Math.max(best, times / await repeat(step, times));
  }
  return Math.max(1, Math.round(best));
}

/** Repeats a step; returns the seconds of processor time that it took, all threads together. */
async function repeat(step, times) {
  const begun = process.cpuUsage();
  for (let done = 0; done < times; done++) {
    await step();
  }
  const {user, system} = process.cpuUsage(begun);
  return Math.max((user + system) / 1e6, 1e-6);
}

function demand(result) {
  if (!result.verified) {
    throw result.error;
  }
}

async function measureSdJwt() {
  const {digest, generateSalt} = await import('@sd-jwt/crypto-nodejs');
  const {SDJwtVcInstance} = await import('@sd-jwt/sd-jwt-vc');
  const [issuerKeys, holderKeys] = [1, 2].map(() => generateKeyPairSync('ed25519'));
  const signWith = keys => data =>
    sign(null, Buffer.from(data), keys.privateKey).toString('base64url');
  const verifyWith = keys => (data, signature) =>
    verify(null, Buffer.from(data), keys.publicKey, Buffer.from(signature, 'base64url'));
  const hashing = {hasher: digest, hashAlg: 'sha-256', saltGenerator: generateSalt};
  const issuer = new SDJwtVcInstance({
    ...hashing, signer: signWith(issuerKeys), signAlg: 'EdDSA'
  });
  const holder = new SDJwtVcInstance({
    ...hashing, kbSigner: signWith(holderKeys), kbSignAlg: 'EdDSA'
  });
  const verifier = new SDJwtVcInstance({
    ...hashing, verifier: verifyWith(issuerKeys), kbVerifier: verifyWith(holderKeys)
  });
  const content = {
    iss: 'https://issuer.example', iat: now, exp: until, vct: type, ...claims,
    cnf: {jwk: holderKeys.publicKey.export({format: 'jwk'})}
  };
  const names = Object.keys(claims);
  const issue = () => issuer.issue(content, {_sd: names}, {header: {kid: 'key'}});
  const issued = await issue();
  const {audience: aud, nonce} = challenge;
  const bound = await holder.present(
    issued, Object.fromEntries(names.map(name => [name, true])), {kb: {payload: {iat: now, aud, nonce}}}
  );
  const options = {currentDate: now};
  return {
    sdjwt_issue_per_s: await measure(issue),
    sdjwt_verify_per_s: await measure(() => verifier.verify(issued, options)),
    sdjwt_verify_bound_per_s: await measure(
      () => verifier.verify(bound, {...options, keyBindingNonce: nonce})
    )
  };
}

async function measureDataIntegrity() {
  const ed25519 = await import('@digitalbazaar/ed25519-multikey');
  const jcs = await import('@digitalbazaar/eddsa-jcs-2022-cryptosuite');
  const {cryptosuite: rdfc} = await import('@digitalbazaar/eddsa-rdfc-2022-cryptosuite');
  const draw = {controller: 'did:example:issuer'};
  const secured = await openSuites(await ed25519.generate(draw));
  const rates = {};
  for (const [name, signing, verifying] of [
    ['jcs', jcs.createSignCryptosuite(), jcs.createVerifyCryptosuite()],
    ['rdfc', rdfc, rdfc]
  ]) {
    const credential = await secured.issue(signing);
    rates[`${name}_issue_per_s`] = await measure(() => secured.issue(signing));
    rates[`${name}_verify_per_s`] = await measure(() => secured.verify(credential, verifying));
  }
  return rates;
}

async function measureBbs() {
  const bbs = await import('@digitalbazaar/bbs-2023-cryptosuite');
  const bls = await import('@digitalbazaar/bls12-381-multikey');
  const {derive: deriveFrom} = await import('@digitalbazaar/vc');
  const {DataIntegrityProof} = await import('@digitalbazaar/data-integrity');
  const secured = await openSuites(await bls.generateBbsKeyPair({
    controller: 'did:example:issuer', algorithm: bls.ALGORITHMS.BBS_BLS12381_SHA256
  }));
  const signing = bbs.createSignCryptosuite({mandatoryPointers: ['/issuer']});
  const issued = await secured.issue(signing, null);
  const derive = () => deriveFrom({
    verifiableCredential: issued,
    suite: new DataIntegrityProof({
      cryptosuite: bbs.createDiscloseCryptosuite({
        selectivePointers: shown, presentationHeader: HEADER
      })
    }),
    documentLoader: secured.documentLoader
  });
  const derived = await derive();
  const verifying = bbs.createVerifyCryptosuite({expectedPresentationHeader: HEADER});
  return {
    bbs_issue_per_s: await measure(() => secured.issue(signing, null)),
    bbs_derive_per_s: await measure(derive),
    bbs_verify_per_s: await measure(() => secured.verify(derived, verifying))
  };
}

/** What issues and verifies the credential with a key, whose document is at hand, too. */
async function openSuites(key) {
  const vc = await import('@digitalbazaar/vc');
  const {DataIntegrityProof} = await import('@digitalbazaar/data-integrity');
  const method = await key.export({publicKey: true, includeContext: true});
  const controller = {
    '@context': 'https://www.w3.org/ns/did/v1', id: key.controller, assertionMethod: [key.id]
  };
  const known = {...contexts, [key.id]: method, [key.controller]: controller};
  const documentLoader = async url => {
    if (known[url] === undefined) {
      throw new Error(`${url} is not there`);
    }
    return {documentUrl: url, document: known[url]};
  };
  const time = new Date(now * 1000);
  return {
    documentLoader,
    issue: (cryptosuite, date = time) => vc.issue({
      credential: {...document, issuer: key.controller},
      suite: new DataIntegrityProof({signer: key.signer(), cryptosuite, ...(date ? {date} : {})}),
      documentLoader
    }),
    verify: async (credential, cryptosuite) => demand(await vc.verifyCredential({
      credential, suite: new DataIntegrityProof({cryptosuite}), documentLoader, now: time
    }))
  };
}

const FAMILIES = [
  ['@sd-jwt/sd-jwt-vc', measureSdJwt],
  ['@digitalbazaar/data-integrity', measureDataIntegrity],
  ['@digitalbazaar/bbs-2023-cryptosuite', measureBbs]
];

const found = {};
for (const [name, measureFamily] of FAMILIES) {
  let version;
  try {
    ({version} = JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8')));
  } catch {
    continue; // it is not installed
  }
  found[`${name} ${version} (Node)`] = await measureFamily();
}
process.stdout.write(JSON.stringify(found));
