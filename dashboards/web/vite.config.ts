import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

// TINGKE_WEB is a running `tingke demo` or `tingke serve` that answers the API while the pages are developed.
const backend = process.env.TINGKE_WEB ?? 'http://127.0.0.1:8080';

export default defineConfig({
  plugins: [react()],
  build: {
    // public/.gitkeep comes back into dist, without which the Go package could not be built before the pages are.
    emptyOutDir: true,
    chunkSizeWarningLimit: 1500,
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [
            // Helpers that several libraries share would otherwise drag the editor into every page.
            { name: 'react', test: /node_modules\/(@babel|react|react-dom|react-router|scheduler|@tanstack|i18next|react-i18next)\//, priority: 3 },
            { name: 'echarts', test: /node_modules\/(echarts|zrender)\//, priority: 2 },
            { name: 'codemirror', test: /node_modules\/(@codemirror|@lezer|@uiw|codemirror)\//, priority: 2 },
          ],
        },
      },
    },
  },
  server: { proxy: { '/api': { target: backend, changeOrigin: true, headers: { Origin: backend } } } },
});
