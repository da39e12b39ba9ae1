// node server.js N: fills an empty database with N products and serves it. One product, one variant, one SKU each, a
// hundred of each in stock; every tenth has three variants, S, M and L.
const fs = require('fs');
const os = require('os');
const path = require('path');
const { bootstrap, JobQueueService, LanguageCode, mergeConfig } = require('@vendure/core');
const { populate } = require('@vendure/core/cli');
const { config } = require('./config');

const initialData = {
  defaultLanguage: LanguageCode.en,
  defaultZone: 'Asia',
  countries: [{ name: 'Indonesia', code: 'ID', zone: 'Asia' }],
  taxRates: [{ name: 'Standard Tax', percentage: 11 }],
  shippingMethods: [{ name: 'Standard Shipping', price: 1000 }],
  paymentMethods: [
    {
      name: 'Dummy',
      handler: { code: 'dummy-payment-handler', arguments: [{ name: 'automaticSettle', value: 'false' }] },
    },
  ],
  collections: [],
};

function products(n) {
  const rows = [
    'name,slug,description,assets,facets,optionGroups,optionValues,sku,price,taxCategory,stockOnHand,trackInventory,variantAssets,variantFacets',
  ];
  for (let i = 1; i <= n; i++) {
    const k = String(i).padStart(4, '0');
    if (i % 10 !== 0) {
      rows.push(`Item ${k},item-${k},A test item,,,,,SKU-${k},10.00,standard,100,true,,`);
      continue;
    }
    ['S', 'M', 'L'].forEach((size, j) => {
      const head = j ? ',,' : `Shirt ${k},shirt-${k},A test shirt`;
      rows.push(`${head},,,${j ? '' : 'size'},${size},SKU-${k}-${size},25.00,standard,100,true,,`);
    });
  }
  return rows.join('\n') + '\n';
}

async function main() {
  const csv = path.join(os.tmpdir(), `products-${process.pid}.csv`);
  fs.writeFileSync(csv, products(Number(process.argv[2])));
  // Filled on a port that the system picks: the one that is waited for answers when all is there.
  const filling = await populate(() => bootstrap(mergeConfig(config, { apiOptions: { port: 0 } })), initialData, csv);
  await filling.close();
  fs.unlinkSync(csv);
  const app = await bootstrap(config);
  await app.get(JobQueueService).start();
  const stop = () => app.close().then(() => process.exit(0));
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}
main().catch((e) => {
  console.error(e);
  process.exit(1);
});
