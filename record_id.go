package zapkafka

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"

	"github.com/zapkafka/zapkafka/internal/spool"
)

// headerID is the name of the header by which a consumer removes doubles.
const headerID = "id"

// idCost is what an id costs while its record is with the producer: the text, the
// header, and the client's own header.
const idCost = int64(spool.MaxIDText) + 2*headerSize

// drawInstance draws the number of a syncer, which makes its entries' ids unlike
// those of all others: in other processes, on other machines, at other times.
func drawInstance() (uint64, error) {
	for {
		var b [8]byte
		if _, err := rand.Read(b[:]); err != nil {
			return 0, fmt.Errorf("draw the instance for IDHeader: %w", err)
		}
		if n := binary.LittleEndian.Uint64(b[:]); n != 0 { // 0 means that there are no ids
			return n, nil
		}
	}
}

// idOf is the id of entry i; zero if the syncer gives none. It is nowhere kept
// in memory: the entries of a chunk were counted when they came. (Those that were
// lost between them were too, but in the chunk none stands for them. So an entry
// may have a lower number than the one it was counted with, and still no other
// has it: the next chunk begins behind all that was counted.)
func (c *chunk) idOf(i int) spool.ID {
	return spool.ID{Instance: c.q.instance, Sequence: c.first + uint64(i)}
}

// idTexts is the memory for the ids of a block of records.
type idTexts []byte

func newIDTexts(ids int) idTexts { return make(idTexts, 0, ids*spool.MaxIDText) }

// header returns the header for an id.
func (t *idTexts) header(id spool.ID) Header {
	first := len(*t)
	*t = id.AppendText(*t)
	return Header{Key: headerID, Value: (*t)[first:len(*t):len(*t)]}
}

// addIDs gives each record of c its id, behind its own headers.
func (c *chunk) addIDs(records []Record) {
	texts := newIDTexts(len(records))
	headers := make([]Header, 0, len(records)+len(c.mem.headers))
	for i := range records {
		r, first := &records[i], len(headers)
		if r.Headers != nil {
			headers = append(headers, r.Headers...)
		}
		headers = append(headers, texts.header(c.idOf(c.from+i)))
		r.Headers = headers[first:len(headers):len(headers)]
	}
}
