// HTTP/2 in clear text, one request, then PINGs every so often: ROLE HOST PORT MILLISECONDS; 0: none
const http2 = require("http2");
const [role, host, port, every] = process.argv.slice(2);
const ping = (session) => Number(every) && setInterval(() => session.ping(() => {}), Number(every));
if (role === "serve") {
  const server = http2.createServer((request, response) => response.end("hello\n"));
  server.on("session", ping);
  server.listen(Number(port), host);
} else {
  const session = http2.connect(`http://${host}:${port}`);
  session.on("connect", ping);
  session.request({ ":path": "/" }).resume();
}
