/**
 * Answers a test's questions, one JSON object a line, until its standard input ends.
 *
 * A question names its `action` and what it takes; the answer holds a `result`, or an `error` in
 * words. So one process of Node, which takes a second to start, serves a whole file of tests.
 */
import {webcrypto} from 'node:crypto';
import {createInterface} from 'node:readline';

// Node 18 has these by their module alone.
globalThis.crypto ??= webcrypto;
globalThis.CryptoKey ??= webcrypto.CryptoKey;
console.log = console.error; // standard output is for answers alone

/** @param actions functions by their names; each takes an object and returns what JSON can say */
export async function answer(actions) {
  for await (const line of createInterface({input: process.stdin})) {
    const {action, ...options} = JSON.parse(line);
    let told;
    try {
      told = {result: (await actions[action](options)) ?? null};
    } catch (error) {
      told = {error: describe(error)};
    }
    process.stdout.write(`${JSON.stringify(told)}\n`);
  }
  process.exit(0);
}

/** Tells an error with all that it was caused by. */
function describe(error) {
  const causes = [error.cause, ...(error.errors ?? [])].filter(each => each instanceof Error);
  const told = [`${error.name}: ${error.message}`, ...causes.map(describe)];
  const results = Object.entries(error.response ?? {}).filter(([name]) => name.endsWith('Result'));
  const cause = error.cause instanceof Error ? undefined : error.cause;
  const response = error.errorResponse ?? results[0]?.[1]?.data ?? cause;
  return [told.join('; '), JSON.stringify(response)].join(' ').trimEnd();
}
