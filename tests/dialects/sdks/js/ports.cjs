// Brings the JavaScript SDK to this test's gateway: its fixed ports are led to others, and its own code stays as it is.
// SDK_PORTS is `4000:51234,8787:51234`; Node reads this file first, by --require.
const net = require("net");

const ports = new Map(process.env.SDK_PORTS.split(",").map((pair) => pair.split(":").map(Number)));
const connect = net.Socket.prototype.connect;

net.Socket.prototype.connect = function (...given) {
  const options = Array.isArray(given[0]) ? given[0][0] : given[0];
  if (ports.has(Number(options?.port))) options.port = ports.get(Number(options.port));
  return connect.apply(this, given);
};
