/** What a wallet shows of mobile documents, by `@auth0/mdl`. */
import {createHash} from 'node:crypto';
import mdl from '@auth0/mdl';
import {encode, Tag} from 'cbor-x';
import {calculateJwkThumbprint} from 'jose';

/**
 * Shows the elements on these paths, signed with the device's key.
 *
 * @param response the document within a response that the device has not signed
 * @param transcript of the request, encoded, as bytes in the tag of encoded CBOR
 */
export async function showDocument({response, docType, paths, deviceKey, transcript}) {
  const fields = paths.map(([namespace, name]) => ({
    path: [`$['${namespace}']['${name}']`], intent_to_retain: false
  }));
  const made = await mdl.DeviceResponse.from(response)
    .usingPresentationDefinition({
      id: 'asked',
      input_descriptors: [{
        id: docType,
        format: {mso_mdoc: {alg: ['ES256']}},
        constraints: {limit_disclosure: 'required', fields}
      }]
    })
    .usingSessionTranscriptBytes(transcript)
    .authenticateWithSignature(deviceKey, 'ES256')
    .sign();
  return Buffer.from(made.encode());
}

/** Puts a document as its issuer gave it, byte for byte, into a response. */
export function wrapIssued(docType, issued) {
  const parts = [
    [0xa3], encode('version'), encode('1.0'), encode('documents'), [0x81],
    [0xa2], encode('docType'), encode(docType), encode('issuerSigned'), issued,
    encode('status'), encode(0)
  ];
  return Buffer.concat(parts.map(each => Buffer.from(each)));
}

/** The transcript of a request: OpenID4VP 1.0, appendix B.2.6.1. */
export async function writeTranscript({client_id, nonce, response_uri, client_metadata}) {
  const [key] = client_metadata.jwks.keys;
  const thumbprint = Buffer.from(await calculateJwkThumbprint(key), 'base64url');
  const info = createHash('sha256')
    .update(encode([client_id, nonce, thumbprint, response_uri]))
    .digest();
  return encode(new Tag(encode([null, null, ['OpenID4VPHandover', info]]), 24));
}
