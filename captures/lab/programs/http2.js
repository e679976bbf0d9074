// HTTP/2 in clear text; the server pings once after the first reply, the client's socket has keepalive: ROLE HOST PORT
const http2 = require("http2");
const [role, host, port] = process.argv.slice(2);
if (role === "serve") {
  const server = http2.createServer((request, response) => response.end("hello\n"));
  server.on("session", (session) => setTimeout(() => session.ping(() => {}), 1000));
  server.listen(Number(port), host);
} else {
  const session = http2.connect(`http://${host}:${port}`);
  session.on("connect", (_, socket) => socket.setKeepAlive(true, 5000));
  session.request({ ":path": "/" }).on("end", () => {}).resume();
  setTimeout(() => {}, 60000);
}
