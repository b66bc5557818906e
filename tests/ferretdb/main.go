// Command ferretdb is a server that speaks MongoDB's protocol and keeps its documents in SQLite
// files, for tests that need a store which outlives it.
//
// It prints the URI that it answers on as the first and only line of standard output, and ends on
// SIGTERM or SIGINT. Updates here are not atomic, and concerns are ignored: races and durability
// of writes are tested elsewhere.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/FerretDB/FerretDB/ferretdb"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address to listen on; port 0 takes a free one")
	dir := flag.String("dir", "", "folder for the documents; made if missing")
	flag.Parse()
	if err := serve(*listen, *dir); err != nil {
		fmt.Fprintln(os.Stderr, "ferretdb:", err)
		os.Exit(1)
	}
}

func serve(listen, dir string) error {
	if dir == "" {
		return fmt.Errorf("-dir names no folder")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}

	server, err := ferretdb.New(&ferretdb.Config{
		Listener:  ferretdb.ListenerConfig{TCP: listen},
		Logger:    slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
		Handler:   "sqlite",
		SQLiteURL: "file:" + dir + "/",
	})
	if err != nil {
		return err
	}

	running, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- server.Run(running) }()
	// The listener is open already: its address is known once Run has taken it over.
	fmt.Println(server.MongoDBURI())
	return <-ended
}
