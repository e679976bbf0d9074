// Debian's ws: a server, and a client that pings it: serve HOST PORT | call HOST PORT MILLISECONDS
const WebSocket = require("/usr/share/nodejs/ws");
const [role, host, port, every] = process.argv.slice(2);
if (role === "serve") {
  new WebSocket.Server({ host, port: Number(port) });
} else {
  const socket = new WebSocket(`ws://${host}:${port}/`);
  socket.on("open", () => setInterval(() => socket.ping(), Number(every)));
}
