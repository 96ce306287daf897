// Verifies a Sigstore bundle with sigstore-js: node sigstore_verify.mjs PUBLIC.pem BUNDLE [FILE]. Prints "verified", or fails.
import { readFileSync } from 'node:fs';
import { createHash, createPublicKey } from 'node:crypto';
import { bundleFromJSON } from '@sigstore/bundle';
import { toSignedEntity, toTrustMaterial, Verifier } from '@sigstore/verify';

const [keyFile, bundleFile, file] = process.argv.slice(2);
const der = createPublicKey(readFileSync(keyFile)).export({ type: 'spki', format: 'der' });
const hint = createHash('sha256').update(der).digest('base64');
const nobody = { certificateAuthorities: [], timestampAuthorities: [], tlogs: [], ctlogs: [] };
const trust = toTrustMaterial(nobody, { [hint]: { rawBytes: der } });
const bundle = bundleFromJSON(JSON.parse(readFileSync(bundleFile, 'utf8')));
const entity = toSignedEntity(bundle, file === undefined ? undefined : readFileSync(file));
new Verifier(trust, { tlogThreshold: 0, ctlogThreshold: 0, tsaThreshold: 0 }).verify(entity);
console.log('verified');
