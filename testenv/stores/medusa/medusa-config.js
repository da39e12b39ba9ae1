// A Medusa server for tests: PostgreSQL only, no Redis, no admin UI, no telemetry. Environment: DATABASE_URL.
const { defineConfig } = require('@medusajs/framework/utils');

module.exports = defineConfig({
  admin: { disable: true },
  projectConfig: {
    databaseUrl: process.env.DATABASE_URL,
    databaseDriverOptions: { ssl: false, connection: { ssl: false } },
    http: { storeCors: '*', adminCors: '*', authCors: '*', jwtSecret: 'of-a-test', cookieSecret: 'of-a-test' },
  },
});
