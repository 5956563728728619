// An agent that knows nothing of gatekeep: the stock JavaScript SDK and a table of calls.
//
// Reads [[package, client, [[command, parameters], …]], …] from standard input and
// prints what each call gave: the answer without its metadata, or the error with the
// status and the number of attempts. ${name} in parameters is what {"$keep": …} kept.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const require = createRequire(process.env.GATEKEEP_JS_SDK + "/");
const kept = {};
const fill = (value) =>
  typeof value === "string" && value.startsWith("${")
    ? kept[value.slice(2, -1)]
    : Array.isArray(value)
      ? value.map(fill)
      : value && typeof value === "object"
        ? "$bytes" in value
          ? Buffer.from(value.$bytes, "hex")
          : Object.fromEntries(Object.entries(value).map(([k, v]) => [k, fill(v)]))
        : value;

const results = [];
for (const [name, client, steps] of JSON.parse(readFileSync(0, "utf8"))) {
  const sdk = require(`${process.env.GATEKEEP_JS_SDK}/@aws-sdk/client-${name}`);
  // Otherwise it sends messages to the host of the QueueUrl, whatever AWS_ENDPOINT_URL.
  const options = name === "sqs" ? { useQueueUrlAsEndpoint: false } : {};
  const agent = new sdk[client](options);
  for (const [command, parameters, keep = {}] of steps) {
    const call = `${name}.${command}`;
    try {
      const answer = await agent.send(new sdk[`${command}Command`](fill(parameters)));
      const { $metadata, ...outcome } = answer;
      for (const [key, member] of Object.entries(keep)) kept[key] = outcome[member];
      if (outcome.Body?.transformToString) {
        outcome.Body = await outcome.Body.transformToString();
      }
      const { httpStatusCode: status, attempts } = $metadata;
      results.push({ call, status, attempts, outcome });
    } catch (error) {
      const { httpStatusCode: status, attempts } = error.$metadata ?? {};
      results.push({ call, status, attempts, error: error.name, message: error.message });
    }
  }
  agent.destroy();
}
process.stdout.write(JSON.stringify(results));
