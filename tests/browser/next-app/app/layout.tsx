import type { ReactNode } from "react";
import "./style.css";

export const metadata = { title: "Orders" };

export default function Layout({ children }: { children: ReactNode }) {
  return (
    <html lang="en">
      <body>
        <nav>
          <a href="/">Orders</a> <a href="/account">Account</a>
        </nav>
        {children}
      </body>
    </html>
  );
}
