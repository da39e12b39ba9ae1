package main

import "stocksync/cli"

// LoadConfig opens loadConfig to the tests.
func LoadConfig(environ []string) (*Config, error) { return loadConfig(environ) }

// Settings opens settings to the tests.
func Settings(c *Config) []cli.Setting { return settings(c) }

// Credentials opens credentials to the tests.
func (c *Config) Credentials(ref string) (map[string]string, error) { return c.credentials(ref) }
