// Status that changes, and news of which there are none for some seconds: HOST PORT
const http = require("http");
const os = require("os");
const [host, port] = process.argv.slice(2);
let served = 0;
const server = http.createServer((request, response) => {
  served += 1;
  if (request.url === "/news") {
    setTimeout(() => response.writeHead(204).end(), 4300);
  } else {
    const jobs = Math.floor(Math.random() * 2000);
    response.end(JSON.stringify({ served, jobs, load: os.loadavg()[0], free: os.freemem() }) + "\n");
  }
});
server.keepAliveTimeout = 60000;
server.listen(Number(port), host);
