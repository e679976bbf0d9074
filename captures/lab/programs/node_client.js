// A net.Socket with keepalive after an initial delay, and silence: HOST PORT MILLISECONDS DELAY
const net = require("net");
const [host, port, silence, delay] = process.argv.slice(2);
const socket = net.connect(Number(port), host, () => {
  socket.setKeepAlive(true, Number(delay));
  socket.write("hello\n");
});
socket.on("error", (error) => console.log(error.code));
setTimeout(() => socket.end(), Number(silence));
