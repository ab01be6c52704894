export default {
  zh: {
    title: '导入',
  },
  en: {
    title: 'Import',
  },
};
