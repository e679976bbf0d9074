// An echo server on one port, an HTTP server with its defaults on the next one: HOST PORT
const http = require("http");
const net = require("net");
const [host, port] = process.argv.slice(2);
net.createServer((socket) => socket.on("error", () => {}).pipe(socket)).listen(Number(port), host);
http.createServer((request, response) => response.end("hello\n")).listen(Number(port) + 1, host);
