// Checks a checkpoint, a receipt and a consistency proof of the register with the Go project's own packages for
// signed notes and transparency logs, of which the register uses nothing. Exit 0: all is well; 2: something is wrong.
//
//	check KEY checkpoint FILE
//	check KEY receipt FILE ENTRY        (ENTRY: the SHA-256 of the record, in hex)
//	check KEY consistency FILE OLDROOT  (OLDROOT: the older tree's root, in hex)
package main

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func main() {
	if len(os.Args) < 4 {
		fmt.Fprintln(os.Stderr, "check KEY checkpoint|receipt|consistency FILE [HEX]")
		os.Exit(1)
	}
	if err := check(os.Args[1], os.Args[2], os.Args[3], os.Args[4:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}

func check(key, what, file string, rest []string) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if what == "checkpoint" {
		size, _, err := checkpoint(raw, key)
		fmt.Println(size)
		return err
	}
	if len(rest) != 1 {
		return errors.New("a hash is missing")
	}
	given, err := hex.DecodeString(rest[0])
	if err != nil || len(given) != tlog.HashSize {
		return errors.New("this is no hash")
	}
	head, signed, found := strings.Cut(string(raw), "\n\n")
	if !found {
		return errors.New("there is no checkpoint")
	}
	size, root, err := checkpoint([]byte(signed), key)
	if err != nil {
		return err
	}
	lines := strings.Split(head, "\n")
	if what == "receipt" {
		if lines[0] != "c2sp.org/tlog-proof@v1" {
			return errors.New("this is no proof")
		}
		lines = lines[1:]
	}
	word, number, _ := strings.Cut(lines[0], " ")
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return err
	}
	hashes, err := hashesOf(lines[1:])
	if err != nil {
		return err
	}
	switch {
	case what == "receipt" && word == "index":
		return tlog.CheckRecord(hashes, size, root, n, tlog.RecordHash(given))
	case what == "consistency" && word == "old":
		var older tlog.Hash
		copy(older[:], given)
		return tlog.CheckTree(hashes, size, root, n, older)
	}
	return errors.New("this is another proof")
}

// checkpoint gives size and root of a note that the key signed, whose name is the log's origin.
func checkpoint(raw []byte, key string) (int64, tlog.Hash, error) {
	verifier, err := note.NewVerifier(key)
	if err != nil {
		return 0, tlog.Hash{}, err
	}
	signed, err := note.Open(raw, note.VerifierList(verifier))
	if err != nil {
		return 0, tlog.Hash{}, err
	}
	lines := strings.Split(signed.Text, "\n")
	if len(lines) < 4 || lines[0] != verifier.Name() {
		return 0, tlog.Hash{}, errors.New("this is another log's checkpoint")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return 0, tlog.Hash{}, err
	}
	root, err := tlog.ParseHash(lines[2])
	return size, root, err
}

func hashesOf(lines []string) ([]tlog.Hash, error) {
	var found []tlog.Hash
	for _, line := range lines {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return nil, err
		}
		if base64.StdEncoding.EncodeToString(hash[:]) != line {
			return nil, errors.New("this base64 has more than one spelling")
		}
		found = append(found, hash)
	}
	return found, nil
}
