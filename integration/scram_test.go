package integration

import "github.com/xdg-go/scram"

// scramClient is the SCRAM that sarama wants to be brought along.
type scramClient struct {
	conversation *scram.ClientConversation
}

// Begin starts the proof that a connection's user knows the password.
func (c *scramClient) Begin(user, password, authzID string) error {
	client, err := scram.SHA512.NewClient(user, password, authzID)
	if err != nil {
		return err
	}
	c.conversation = client.NewConversation()
	return nil
}

func (c *scramClient) Step(challenge string) (string, error) { return c.conversation.Step(challenge) }

func (c *scramClient) Done() bool { return c.conversation.Done() }
