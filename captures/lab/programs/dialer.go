// A client that dials with a keepalive period, says one line, and is then idle.
package main

import (
	"bufio"
	"fmt"
	"log"
	"net"
	"os"
	"time"
)

func main() {
	idle, err := time.ParseDuration(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	dialer := net.Dialer{KeepAlive: 7 * time.Second}
	conn, err := dialer.Dial("tcp", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Fprintln(conn, "how are you")
	if _, err := bufio.NewReader(conn).ReadString('\n'); err != nil {
		log.Fatal(err)
	}
	time.Sleep(idle)
	conn.Close()
}
