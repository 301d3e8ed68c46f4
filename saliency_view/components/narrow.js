// On a narrow screen the sidebar lies over the page: it is closed, once for each token, to show what came of it.
let closedFor = "";

function closeSidebar({ data }) {
  if (!data || data.token === closedFor) return;
  closedFor = data.token;
  if (!window.matchMedia("(max-width: 767px)").matches) return;
  const open = document.querySelector('[data-testid="stSidebar"][data-collapsed="false"]');
  open?.querySelector('[data-testid="stSidebarCollapseButton"] button')?.click();
}
