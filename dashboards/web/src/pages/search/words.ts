export default {
  zh: {
    title: '搜索',
  },
  en: {
    title: 'Search',
  },
};
