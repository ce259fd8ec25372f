// One server of a shop with @segment/analytics-node as it is: told by one argument of JSON, it says as JSON what its client reports as sent, and as failed.
import { createRequire } from "node:module";

const { modules, host, writeKey, people, touches } = JSON.parse(process.argv[2]);
const { Analytics } = createRequire(`${modules}/`)("@segment/analytics-node");

const analytics = new Analytics({ host, writeKey, flushAt: 10, flushInterval: 100, maxRetries: 50 });
const sent = {};
const failed = [];

function report(person) {
  return (error, context) => {
    if (error || context.failedDelivery()) failed.push(String(error ?? context.failedDelivery().reason));
    else (sent[person] ??= []).push(context.event.messageId);
  };
}

for (const person of people) {
  const anonymousId = `browser-${person}`;
  analytics.page({ anonymousId, name: "Home" }, report(person));
  for (let number = 0; number < touches; number++) {
    analytics.track({ anonymousId, event: "Product Viewed", properties: { number } }, report(person));
    await new Promise((done) => setTimeout(done, 5));
  }
  analytics.alias({ previousId: anonymousId, userId: person }, report(person));
  analytics.identify({ userId: person, traits: { email: `${person}@kairos.shop` } }, report(person));
  for (let number = 0; number < touches; number++) {
    analytics.track({ userId: person, event: "Product Added", properties: { number } }, report(person));
    await new Promise((done) => setTimeout(done, 5));
  }
}
await analytics.closeAndFlush({ timeout: 120_000 });
console.log(JSON.stringify({ sent, failed }));
