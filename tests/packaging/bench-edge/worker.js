/** In workerd: the tokens are posted once, then each request judges some. Its clock stands still, so its caller holds the watch. */

import { bench } from "./candidates.js";

let run;

export default {
  async fetch(request) {
    const { fixture, name, count } = await request.json();
    if (fixture !== undefined) run = await bench(fixture);
    else await run(name, count);
    return new Response("done");
  },
};
