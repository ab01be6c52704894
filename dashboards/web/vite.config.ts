import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

import { antdStyles } from './antd-styles';
import { packed } from './packed';
import { preloaded } from './preloaded';

// TINGKE_WEB is a running `tingke demo` or `tingke serve` that answers the API while the pages are developed.
const backend = process.env.TINGKE_WEB ?? 'http://127.0.0.1:8080';

export default defineConfig({
  plugins: [antdStyles(), react(), preloaded('main'), packed()],
  build: {
    // public/.gitkeep comes back into dist, without which the Go package could not be built before the pages are.
    emptyOutDir: true,
    chunkSizeWarningLimit: 1500,
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [
            // The first script holds nothing else, so that what it asks for is on its way while the rest is read.
            { name: 'boot', test: /src\/(boot|pages|api\/early)\.ts|vite\/preload-helper/, priority: 9 },
            // Helpers that several libraries share would otherwise drag the editor into every page.
            { name: 'react', test: /node_modules\/(@babel|react|react-dom|react-router|scheduler|@tanstack|i18next|react-i18next)\//, priority: 3 },
            { name: 'echarts', test: /node_modules\/(echarts|zrender)\//, priority: 2 },
            { name: 'codemirror', test: /node_modules\/(@codemirror|@lezer|@uiw|codemirror)\//, priority: 2 },
            // One file of what nearly all pages use opens faster than forty.
            { name: 'shared', test: /node_modules\/|src\/(ui|api|i18n)\//, minShareCount: 11, priority: 1 },
          ],
        },
      },
    },
  },
  server: { proxy: { '/api': { target: backend, changeOrigin: true, headers: { Origin: backend } } } },
});
