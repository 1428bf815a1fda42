// The batch verifier: many Ed25519 signatures at once, by the rules of ZIP-215.
//
// A library in C's way, which hansa.engine.batch_verifier loads into the verifying processes. The
// arithmetic is curve25519-voi's, with which CometBFT verifies its votes.
package main

import "C"

import (
	"crypto/rand"
	"encoding/binary"
	"unsafe"

	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519"
)

const lengthBytes = 4

var options = &ed25519.Options{Verify: ed25519.VerifyOptionsZIP_215}

// Which form of hansa_verify_ed25519 this is; hansa.engine.batch_verifier refuses another.
//
//export hansa_verifier_interface
func hansa_verifier_interface() C.long { return 1 }

// Verify count signatures. Input is what hansa.engine.batch_verifier packs: the lengths of all
// messages as little-endian numbers of 4 bytes, all keys, all signatures, all messages. The verdict
// on each, 1 if it is good, goes to verdicts; nothing else is read or written, and nothing kept.
//
//export hansa_verify_ed25519
func hansa_verify_ed25519(count C.long, input *C.char, bytes C.long, verdicts *C.char) {
	number := int(count)
	packed := unsafe.Slice((*byte)(unsafe.Pointer(input)), int(bytes))
	found := unsafe.Slice((*byte)(unsafe.Pointer(verdicts)), number)
	lengths, rest := packed[:lengthBytes*number], packed[lengthBytes*number:]
	keys, rest := rest[:ed25519.PublicKeySize*number], rest[ed25519.PublicKeySize*number:]
	signatures, rest := rest[:ed25519.SignatureSize*number], rest[ed25519.SignatureSize*number:]

	batch := ed25519.NewBatchVerifierWithCapacity(number)
	for index := range number {
		length := binary.LittleEndian.Uint32(lengths[lengthBytes*index:])
		batch.AddWithOptions(
			keys[ed25519.PublicKeySize*index:][:ed25519.PublicKeySize],
			rest[:length],
			signatures[ed25519.SignatureSize*index:][:ed25519.SignatureSize],
			options,
		)
		rest = rest[length:]
	}
	// Where not all are good, it verifies each one by one.
	_, each := batch.Verify(rand.Reader)
	for index, isGood := range each {
		found[index] = 0
		if isGood {
			found[index] = 1
		}
	}
}

func main() {}
