/**
 * Required by every Node process of these tests: no connection leaves this machine. One that would is refused, and its
 * host is written to the file LOOPBACK_LOG.
 */

const { appendFileSync } = require("node:fs");
const { isIP, Socket } = require("node:net");

const connect = Socket.prototype.connect;

Socket.prototype.connect = function (...given) {
  // Node itself passes what it has normalized: an array in an array.
  const [first, second] = Array.isArray(given[0]) ? given[0] : given;
  const isPath = typeof first === "string" && Number.isNaN(Number(first));
  const host = typeof first === "object" ? (first.path ? undefined : first.host) : isPath ? undefined : second;
  if (typeof host === "string" && !isLoopback(host)) {
    appendFileSync(process.env.LOOPBACK_LOG, `${host}\n`);
    const error = new Error(`connection to ${host}: these tests stay on this machine`);
    process.nextTick(() => this.destroy(error));
    return this;
  }
  return connect.apply(this, given);
};

function isLoopback(host) {
  return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}
