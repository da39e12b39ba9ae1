package topics

import "github.com/go-json-experiment/json"

// Topic commands: what a person asks the owner of a partition to do.
//
//	producer    CLI, console: one record to each partition
//	consumer    processor, as the third input of a task, so a command is carried out exactly once
//	key         none
//	cleanup     delete, 7 d; LogAppendTime
//	partitions  P
//	schema      schemas/commands.json
//	version     additive only; an unknown command is a dead letter

// CommandNightly asks for the nightly run now.
const CommandNightly = "nightly"

// Command is one request to one partition's owner.
type Command struct {
	ID          string         `json:"id"`
	Command     string         `json:"command"`
	Args        map[string]any `json:"args"`
	RequestedBy string         `json:"requested_by,omitzero"`
	RequestedAt Time           `json:"requested_at,omitzero"`
}

// The known fields of a command, as bits of a checker.
const (
	commandID = 1 << iota
	commandCommand
	commandArgs
	commandRequestedBy
	commandRequestedAt
)

// DecodeCommand reads one record of topic commands into *into, whose old contents are lost, or says why not: in this
// order null_value, oversized (more than maxBytes; 0 = no limit), undecodable, invalid. A command has no key. The
// strings of *into alias value.
func DecodeCommand(value []byte, maxBytes int, into *Command) *Reject {
	if reject := admit(nil, value, false, maxBytes); reject != nil {
		return reject
	}
	fields, reject := splitObject(value)
	if reject != nil {
		return reject
	}
	*into = Command{}
	var c checker
	for i := range fields {
		c.anyField(&fields[i])
		into.setField(&c, &fields[i])
	}
	c.require(commandID, "id")
	c.require(commandCommand, "command")
	if c.fault != "" {
		return &Reject{Reason: ReasonInvalid, Message: c.fault}
	}
	return nil
}

// setField reads one member of the record.
func (m *Command) setField(c *checker, f *field) {
	switch f.name {
	case "id":
		m.ID = c.id(f, commandID, maxID)
	case "command":
		if m.Command = c.text(f, commandCommand, maxID); f.kind == kindString && m.Command != CommandNightly {
			c.fail(f.name, f.raw, "is not a command; there is "+CommandNightly)
		}
	case "args":
		if !c.take(f, commandArgs) {
			return
		}
		if f.kind != kindNested || f.raw[0] != '{' {
			c.fail(f.name, f.raw, "is not an object")
			return
		}
		if err := json.Unmarshal([]byte(f.raw), &m.Args); err != nil {
			c.fail(f.name, f.raw, "is not usable: "+err.Error())
		}
	case "requested_by":
		m.RequestedBy = c.text(f, commandRequestedBy, maxID)
	case "requested_at":
		m.RequestedAt = c.time(f, commandRequestedAt)
	}
}

// Encode returns the record's value. Arguments that JSON cannot hold are written as their text.
func (m *Command) Encode() []byte {
	healed := *m
	healed.Args = encodable(m.Args)
	return encodeRecord(&healed)
}
