package callback_test

import (
	"fmt"
	"path"

	"lumaflow/internal/callback"
)

// The worker mints the URL of a job before it submits; the webhook verifies the
// token of the URL that kie.ai calls.
func Example() {
	secrets, err := callback.ParseSecrets("an example secret of 32 bytes or more")
	if err != nil {
		panic(err)
	}
	minter, err := callback.NewMinter("https://hooks.example.org", secrets)
	if err != nil {
		panic(err)
	}
	url := minter.URL("default", "luma-4f2a")
	token := path.Base(url)

	fmt.Println(url)
	fmt.Println(secrets.Verify("default", "luma-4f2a", token), secrets.Verify("default", "luma-77c0", token))
	// Output:
	// https://hooks.example.org/callbacks/luma/luma-4f2a/Dgrc_LqEYxlk4mjlsKD99eECOl8GN6Xs8LDTZvXW2C0
	// true false
}
