// A server as http.ListenAndServe makes it.
package main

import (
	"log"
	"net/http"
	"os"
	"strings"
)

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte(strings.Repeat("all is well\n", 40)))
	})
	log.Fatal(http.ListenAndServe(os.Args[1], nil))
}
