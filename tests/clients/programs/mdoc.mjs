/** Mobile documents issued, shown and verified by `@auth0/mdl`; bytes are in base64url. */
import mdl from '@auth0/mdl';
import {answer} from './answering.mjs';
import {showDocument} from './documents.mjs';

const {Document, MDoc, Verifier} = mdl;

const read = text => Buffer.from(text, 'base64url');
const write = bytes => Buffer.from(bytes).toString('base64url');

/** Issues a document; returns it within a response without the device's signature. */
async function issue({docType, elements, deviceKey, issuerKey, certificate, signed, validUntil}) {
  const document = new Document(docType);
  for (const [namespace, values] of Object.entries(elements)) {
    document.addIssuerNameSpace(namespace, values);
  }
  const made = await document
    .useDigestAlgorithm('SHA-256')
    .addValidityInfo({signed: new Date(signed), validUntil: new Date(validUntil)})
    .addDeviceKeyInfo({deviceKey})
    .sign({issuerPrivateKey: issuerKey, issuerCertificate: certificate, alg: 'ES256'});
  return write(new MDoc([made]).encode());
}

/** Shows some elements of a document for a request, signed with the device's key. */
async function present({response, transcript, ...asked}) {
  const given = {response: read(response), transcript: read(transcript)};
  return write(await showDocument({...asked, ...given}));
}

/** Verifies a response for a request; returns the elements that it shows. */
async function verify({response, root, transcript, namespace}) {
  const verifier = new Verifier([root]);
  const {documents} = await verifier.verify(read(response), {
    encodedSessionTranscript: read(transcript)
  });
  return documents[0].getIssuerNameSpace(namespace);
}

await answer({issue, present, verify});
