// A Vendure server for tests on PostgreSQL, which alone shows lost updates and deadlocks. No admin UI, no e-mail, no
// job-queue plugin. Environment: PORT, DATABASE_URL.
const { dummyPaymentHandler, DefaultLogger, LogLevel, manualFulfillmentHandler } = require('@vendure/core');

exports.config = {
  apiOptions: {
    hostname: '127.0.0.1',
    port: Number(process.env.PORT),
    adminApiPath: 'admin-api',
    shopApiPath: 'shop-api',
  },
  authOptions: {
    tokenMethod: ['bearer', 'api-key'],
    superadminCredentials: { identifier: 'superadmin', password: 'superadmin' },
    cookieOptions: { secret: 'of-a-test' },
  },
  dbConnectionOptions: { type: 'postgres', url: process.env.DATABASE_URL, synchronize: true, logging: false },
  paymentOptions: { paymentMethodHandlers: [dummyPaymentHandler] },
  shippingOptions: { fulfillmentHandlers: [manualFulfillmentHandler] },
  logger: new DefaultLogger({ level: LogLevel.Warn, timestamp: true }),
  plugins: [],
};
