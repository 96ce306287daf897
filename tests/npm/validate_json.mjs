// node validate_json.mjs SCHEMA FILE: by ajv, in strict mode. Prints "valid", or what is wrong and fails.
import { readFileSync } from 'node:fs';
import Ajv from 'ajv';
import addFormats from 'ajv-formats';

const [schema, document] = process.argv.slice(2).map((file) => JSON.parse(readFileSync(file, 'utf8')));
const ajv = new Ajv({ allErrors: true, strict: true });
addFormats(ajv);
if (!ajv.validate(schema, document)) {
  console.error(JSON.stringify(ajv.errors.slice(0, 20), null, 1));
  process.exit(1);
}
console.log('valid');
