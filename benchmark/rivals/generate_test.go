package rivals

import (
	"os"
	"strings"
	"testing"
)

// The sample for Shopify's sarama is that for IBM's.
func TestGenerated(t *testing.T) {
	read := func(name string) string {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		_, body, ok := strings.Cut(string(text), "import (")
		if !ok {
			t.Fatalf("%s has no imports", name)
		}
		return body
	}
	ibm, shopify := read("sarama_ibm.go"), read("sarama_shopify.go")
	before, rest, _ := strings.Cut(ibm, "// fallbackFile is")
	_, after, _ := strings.Cut(rest, "\n\n")
	want := strings.NewReplacer("github.com/IBM/sarama", "github.com/Shopify/sarama", "ibmSarama", "shopifySarama", "openIBM", "openShopify").
		Replace(before + after)
	if shopify != want {
		t.Errorf("sarama_shopify.go is not as generated: in benchmark/rivals, go generate. It is\n%s\nwant\n%s", shopify, want)
	}
}
