export default {
  zh: {
    title: '数据',
  },
  en: {
    title: 'Data',
  },
};
