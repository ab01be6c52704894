export default {
  zh: {
    title: '客服',
  },
  en: {
    title: 'Agents',
  },
};
