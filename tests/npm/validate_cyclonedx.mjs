// node validate_cyclonedx.mjs FILE: by the strict JSON validator of CycloneDX 1.6. Prints "valid", or what is wrong and fails.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const { Spec, Validation } = createRequire(import.meta.url)('@cyclonedx/cyclonedx-library');
const validator = new Validation.JsonStrictValidator(Spec.Version.v1dot6);
const error = await validator.validate(readFileSync(process.argv[2], 'utf8'));
if (error !== null) {
  console.error(JSON.stringify(error, null, 1));
  process.exit(1);
}
console.log('valid');
