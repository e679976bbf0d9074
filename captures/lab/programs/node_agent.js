// One request through an http.Agent that keeps its connections alive, with its defaults: HOST PORT
const http = require("http");
const [host, port] = process.argv.slice(2);
const agent = new http.Agent({ keepAlive: true });
http.get({ host, port, agent }, (response) => response.resume());
setTimeout(() => {}, 60000);
