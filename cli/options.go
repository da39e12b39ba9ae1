package cli

import (
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Fields of a store's record that a person may mistake for places of secrets.
const (
	optionsField     = "options"
	credentialsField = "credentials_ref"
)

// assignOption sets one member of the options: as JSON when the text is JSON, such as 50, else as a text. An empty
// text takes the member away.
func (d *draft) assignOption(name, text string) error {
	options := membersOf(d.members[optionsField])
	value := jsontext.Value(text)
	switch {
	case name == "":
		return usagef("options.: want options.NAME=VALUE")
	case text == "":
		delete(options, name)
	case !value.IsValid():
		quoted, err := json.Marshal(text)
		if err != nil {
			return usagef("options.%s: the value is not valid UTF-8", name)
		}
		value = quoted
		fallthrough
	default:
		if err := refuseSecretIn(optionsField+"."+name, name, value); err != nil {
			return err
		}
		options[name] = value
	}
	return d.set(optionsField, options)
}

// refuseSecret refuses a value of a store's field that looks like a secret.
func refuseSecret(name string, value jsontext.Value) error {
	switch name {
	case optionsField:
		if kind := value.Kind(); kind != '{' && kind != 'n' {
			return usagef("%s: want a JSON object; the value is not repeated, since it may hold a secret", name)
		}
		return refuseSecretIn(optionsField, "", value)
	case credentialsField:
		var ref string
		unreadable := json.Unmarshal(value, &ref) != nil
		if !unreadable && ref == "" {
			return nil
		}
		if unreadable || secretText(ref) || !regexp.MustCompile(`^[A-Za-z0-9._-]+$`).MatchString(ref) {
			return usagef("%s: the value is not the name of a file or a variable, and may be a secret itself: %s",
				name, secretHelp)
		}
	}
	return nil
}

// secretHelp says where secrets go. It is said in place of the value.
const secretHelp = "secrets are in no topic; put them, as a JSON object such as {\"secret\":\"...\"}, into a file of " +
	"CREDENTIALS_DIR or into a variable where the sinks run, and give its name: credentials_ref=NAME"

// refuseSecretIn looks for a secret in a value and all that is in it. The error names the place and not the value.
func refuseSecretIn(at, name string, value jsontext.Value) error {
	var text string
	switch value.Kind() {
	case '{':
		members := membersOf(value)
		for _, member := range slices.Sorted(maps.Keys(members)) {
			if err := refuseSecretIn(at+"."+member, member, members[member]); err != nil {
				return err
			}
		}
		return nil
	case '[':
		var list []jsontext.Value
		if json.Unmarshal(value, &list) == nil {
			for _, element := range list {
				if err := refuseSecretIn(at, name, element); err != nil {
					return err
				}
			}
		}
		return nil
	case '"':
		if json.Unmarshal(value, &text) != nil {
			text = value.String()
		}
	default:
		text = value.String()
	}
	if text != "" && text != "null" && secretName(name) || secretText(text) {
		return usagef("%s: looks like a secret: %s", at, secretHelp)
	}
	return nil
}

// secretName tells whether a name is one of a secret.
func secretName(name string) bool {
	plain := strings.NewReplacer("_", "", "-", "", ".", "", " ", "").Replace(strings.ToLower(name))
	return regexp.MustCompile(`secret|passw|passphrase|token|credential|signature|bearer|username|key$|pwd$`).
		MatchString(plain)
}

// secretText tells whether a text has the form of a secret: those that the marketplaces give out, those that
// everybody knows, and URLs that carry one.
func secretText(text string) bool {
	forms := regexp.MustCompile(`whsec_|shp(at|ca|pa|ss|rt|ua)_|\b(ck|cs)_[0-9a-f]{20}|\b[spr]k_\w{8}|-----BEGIN|` +
		`\beyJ[\w-]{8,}\.|(?i:\b(bearer|basic) \S{8})|^[0-9a-fA-F]{32,}$|^[\w+/=-]{60,}$`)
	if forms.MatchString(text) {
		return true
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return false
	}
	if _, has := u.User.Password(); has {
		return true
	}
	for name, values := range u.Query() {
		if secretName(name) || slices.ContainsFunc(values, secretText) {
			return true
		}
	}
	return false
}
