package rivals

// The samples for the two homes of sarama differ in the import alone.
//go:generate sh -c "( echo '// Code generated from sarama_ibm.go by go generate; DO NOT EDIT.' && echo && sed -e 's|github.com/IBM/sarama|github.com/Shopify/sarama|' -e 's/ibmSarama/shopifySarama/g' -e 's/openIBM/openShopify/g' -e '/^\\/\\/ fallbackFile is/,/^$/d' sarama_ibm.go ) >sarama_shopify.go && gofmt -w sarama_shopify.go"
