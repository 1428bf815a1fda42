/** Credentials and presentations secured by the suites of `@digitalbazaar`; contexts are given. */
import * as bbs from '@digitalbazaar/bbs-2023-cryptosuite';
import * as bls from '@digitalbazaar/bls12-381-multikey';
import {DataIntegrityProof} from '@digitalbazaar/data-integrity';
import * as ecdsa from '@digitalbazaar/ecdsa-multikey';
import {cryptosuite as ecdsaRdfc} from '@digitalbazaar/ecdsa-rdfc-2019-cryptosuite';
import * as ed25519 from '@digitalbazaar/ed25519-multikey';
import * as eddsaJcs from '@digitalbazaar/eddsa-jcs-2022-cryptosuite';
import {cryptosuite as eddsaRdfc} from '@digitalbazaar/eddsa-rdfc-2022-cryptosuite';
import * as vc from '@digitalbazaar/vc';
import {
  BitstringStatusList, checkStatus, createCredential, VC_BSL_VC_V2_CONTEXT
} from '@digitalbazaar/vc-bitstring-status-list';
import {answer} from './answering.mjs';

const SIGNING = {
  'eddsa-rdfc-2022': () => eddsaRdfc,
  'ecdsa-rdfc-2019': () => ecdsaRdfc,
  'eddsa-jcs-2022': () => eddsaJcs.createSignCryptosuite(),
  'bbs-2023': ({mandatory}) => bbs.createSignCryptosuite({mandatoryPointers: mandatory})
};
const VERIFYING = {
  ...SIGNING,
  'eddsa-jcs-2022': () => eddsaJcs.createVerifyCryptosuite(),
  'bbs-2023': ({header}) =>
    bbs.createVerifyCryptosuite({expectedPresentationHeader: readBytes(header)})
};

function readBytes(base64url) {
  return new Uint8Array(Buffer.from(base64url ?? '', 'base64url'));
}

/** A key pair of a did:key, by the multibase of its halves. */
async function readKey({secretKeyMultibase, publicKeyMultibase, suite}) {
  const controller = `did:key:${publicKeyMultibase}`;
  const kind = suite === 'bbs-2023' ? bls : suite.startsWith('ecdsa') ? ecdsa : ed25519;
  return kind.from({
    type: 'Multikey',
    id: `${controller}#${publicKeyMultibase}`,
    controller,
    publicKeyMultibase,
    secretKeyMultibase
  });
}

/** Loads a context that the test gave, or the document of a did:key, and nothing else. */
function loadFrom(contexts) {
  return async url => {
    const document = contexts[url] ?? writeDidKey(url);
    if (document === undefined) {
      throw new Error(`${url} is not there`);
    }
    return {documentUrl: url, document};
  };
}

function writeDidKey(url) {
  if (!url.startsWith('did:key:')) {
    return undefined;
  }
  const [controller, publicKeyMultibase] = url.split('#');
  if (publicKeyMultibase) {
    const context = 'https://w3id.org/security/multikey/v1';
    return {'@context': context, id: url, type: 'Multikey', controller, publicKeyMultibase};
  }
  const method = `${controller}#${controller.slice('did:key:'.length)}`;
  return {
    '@context': 'https://www.w3.org/ns/did/v1',
    id: controller,
    assertionMethod: [method],
    authentication: [method]
  };
}

async function makeSuite(options) {
  const {suite, key, created} = options;
  const signer = (await readKey({...key, suite})).signer();
  return new DataIntegrityProof({
    signer,
    cryptosuite: SIGNING[suite](options),
    // Before bbs-2023, a date of issue in the proof is what everybody has.
    ...(created ? {date: created} : {})
  });
}

async function issue(options) {
  const {credential, contexts} = options;
  const suite = await makeSuite(options);
  return vc.issue({credential, suite, documentLoader: loadFrom(contexts)});
}

/** Derives from a credential with bbs-2023 one that shows what the pointers select. */
async function derive({credential, contexts, pointers, header}) {
  const cryptosuite = bbs.createDiscloseCryptosuite({
    selectivePointers: pointers,
    presentationHeader: readBytes(header)
  });
  const suite = new DataIntegrityProof({cryptosuite});
  return vc.derive({verifiableCredential: credential, suite, documentLoader: loadFrom(contexts)});
}

async function present(options) {
  const {presentation, contexts, challenge, domain} = options;
  const suite = await makeSuite(options);
  return vc.signPresentation({
    presentation, suite, challenge, domain, documentLoader: loadFrom(contexts)
  });
}

/** Verifies a credential; returns which of its statuses are set, on which the caller decides. */
async function verifyCredential(options) {
  const {credential, contexts, suite, now} = options;
  const verifying = new DataIntegrityProof({cryptosuite: VERIFYING[suite](options)});
  const {statusResult} = demand(await vc.verifyCredential({
    credential,
    suite: verifying,
    documentLoader: loadFrom(contexts),
    // The list stands among what may be loaded, where it is asked for.
    checkStatus: options.checksStatus ? checkStatus : async () => ({verified: true}),
    now
  }));
  return {statuses: statusResult?.results?.map(each => each.status) ?? []};
}

async function verifyPresentation(options) {
  const {presentation, contexts, suite, challenge, domain, now} = options;
  const verifying = new DataIntegrityProof({cryptosuite: VERIFYING[suite](options)});
  demand(await vc.verify({
    presentation,
    suite: verifying,
    challenge,
    domain,
    documentLoader: loadFrom(contexts),
    checkStatus: async () => ({verified: true}),
    now
  }));
  return true;
}

/** Makes a list in which these indexes are set, as a credential to be signed. */
async function listStatuses({id, length, indexes, purpose}) {
  const list = new BitstringStatusList({length});
  for (const index of indexes) {
    list.setStatus(index, true);
  }
  return createCredential({id, list, statusPurpose: purpose, context: VC_BSL_VC_V2_CONTEXT});
}

function demand(result) {
  if (!result.verified) {
    throw result.error ?? result.statusResult.error;
  }
  return result;
}

await answer({issue, derive, present, verifyCredential, verifyPresentation, listStatuses});
