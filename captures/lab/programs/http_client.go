// A client with http.DefaultTransport: two goroutines that get a page now and then.
package main

import (
	"io"
	"log"
	"net/http"
	"os"
	"sync"
	"time"
)

func get(url string, pause time.Duration, times int, done *sync.WaitGroup) {
	defer done.Done()
	for i := 0; i < times; i++ {
		response, err := http.Get(url)
		if err != nil {
			log.Fatal(err)
		}
		// A connection is free for others once the body is read: read late, so that the two never share one.
		time.Sleep(300 * time.Millisecond)
		io.Copy(io.Discard, response.Body)
		response.Body.Close()
		time.Sleep(pause)
	}
}

func main() {
	var done sync.WaitGroup
	done.Add(2)
	go get(os.Args[1], 33*time.Second, 2, &done)
	// Later, so that the order of the two does not vary, but while the first still holds its connection.
	time.Sleep(100 * time.Millisecond)
	go get(os.Args[1], 66*time.Second, 1, &done)
	done.Wait()
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	time.Sleep(500 * time.Millisecond)
}
