import java.net.Socket;
import jdk.net.ExtendedSocketOptions;

/** Connect, ask once, read a reply, stay silent: HOST PORT SECONDS TIME INTVL PROBES. */
class IdleClient {
    public static void main(String[] words) throws Exception {
        try (Socket socket = new Socket(words[0], Integer.parseInt(words[1]))) {
            socket.setKeepAlive(true);
            socket.setOption(ExtendedSocketOptions.TCP_KEEPIDLE, Integer.parseInt(words[3]));
            socket.setOption(ExtendedSocketOptions.TCP_KEEPINTERVAL, Integer.parseInt(words[4]));
            socket.setOption(ExtendedSocketOptions.TCP_KEEPCOUNT, Integer.parseInt(words[5]));
            socket.getOutputStream().write("GET / HTTP/1.1\r\nHost: server\r\n\r\n".getBytes());
            socket.getInputStream().read(new byte[65536]);
            Thread.sleep(1000L * Integer.parseInt(words[2]));
        }
    }
}
